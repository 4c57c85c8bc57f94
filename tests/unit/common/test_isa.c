/* SPDX-License-Identifier: Apache-2.0 */
#include "common/isa.c"

#include <criterion/criterion.h>

Test(isa, the_environment_forces_a_lower_kernel)
{
	setenv("HEADGATE_ISA", "scalar", 1);
	cr_expect_eq(isa_get(), ISA_SCALAR);
	cr_expect_str_eq(isa_name(ISA_SCALAR), "scalar");
}

Test(isa, it_is_read_once)
{
	unsetenv("HEADGATE_ISA");
	cr_expect_eq(isa_get(), best_of_cpu());
	setenv("HEADGATE_ISA", "scalar", 1);
	cr_expect_eq(isa_get(), best_of_cpu());
}

Test(isa, an_unknown_name_changes_nothing)
{
	setenv("HEADGATE_ISA", "avx1024", 1);
	cr_expect_eq(isa_get(), best_of_cpu());
}

Test(isa, a_kernel_that_the_cpu_lacks_cannot_be_forced)
{
	cr_expect(isa_force(ISA_SCALAR));
	cr_expect_not(isa_force(ISA_COUNT));
	cr_expect_eq(isa_get(), ISA_SCALAR);
}
